BEGIN TRANSACTION;
CREATE TABLE managed_sync_layout (
	version INTEGER NOT NULL
);
INSERT INTO "managed_sync_layout" VALUES(3);
CREATE TABLE managed_sync_pipelines (
	id INTEGER NOT NULL, 
	project_id TEXT NOT NULL, 
	integration TEXT NOT NULL, 
	sync_type TEXT NOT NULL, 
	settings TEXT, 
	cursor TEXT, 
	compared_at FLOAT, 
	connected_user TEXT, 
	holder TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (project_id, integration, sync_type)
);
INSERT INTO "managed_sync_pipelines" VALUES(1,'p1','box','files','{"chunker": "Chunker(20 tokens of cl100k_base, overlap 0)", "embedding": "a model", "parser": "object_id=managed_sync.documents.record_metadata.object_id, parser=FileParser()", "scheme of chunk ids": "by project, pipeline and record"}',NULL,1.79584784625818085672e+09,NULL,NULL);
CREATE TABLE managed_sync_records (
	pipeline_id INTEGER NOT NULL, 
	record_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	version TEXT, 
	digest TEXT, 
	chunks TEXT NOT NULL, 
	chunk_count INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	error TEXT, 
	attempts INTEGER NOT NULL, 
	retry_at FLOAT, 
	PRIMARY KEY (pipeline_id, record_id), 
	FOREIGN KEY(pipeline_id) REFERENCES managed_sync_pipelines (id)
);
INSERT INTO "managed_sync_records" VALUES(1,'long','indexed','0440cf885d80a8c5254d623d7de5f89e22493f7b560db7c56fd4e92a14a3d08e','0f2576b968e876a86de9','{"cde3ecd7-67a3-56c5-b326-4c01e65a188c":"8501bb659846c823280e.1b3b39bbfd65acd7253b","94eba3e5-6c86-50e7-b9cb-da21c6cfed55":"8501bb659846c823280e.c93256e7139a8ccdfa0b","2446a73e-5ab4-5818-863b-65f85dc2123c":"8501bb659846c823280e.ba96539ebc9921a8550d","5bc1fc4b-f1fb-5125-880c-2250d4faa547":"8501bb659846c823280e.450fb1e36395e574358f","7e3365c6-35af-5fe4-b62c-f81bbbc709b7":"8501bb659846c823280e.de13e496c9f312bcd8ba","3b3a22de-0908-5c35-8595-698aa9f30c76":"8501bb659846c823280e.4a6d8395cb94cd7e3d65"}',6,'long.txt',NULL,0,NULL);
INSERT INTO "managed_sync_records" VALUES(1,'note','pending','18eb9b718f31dbb772ef230bd6dfdde68c53c21a7fd9f06b4dc44460e8531322','eb0ab20b55baa726ba63','{"2ace9368-5d8f-58c3-b74c-ec706c5aeb67":"7651ef2a2c25d54bb424.c7b513529f20da4028ba","87a6d319-16ac-55d3-9052-135220a79e70":null,"aa8dfa45-fe60-562e-931b-1fbc5158c381":null}',3,'note.txt',NULL,0,NULL);
INSERT INTO "managed_sync_records" VALUES(1,'odd','pending','ce35fba99935ffbfb176d48091f89df72e06eb34c8c046871f069569097f68ae','fca4af198bdbfebcb7bd','{"830f03c5-e9a2-53b4-b513-dd052929f4d4":null}',1,'odd.txt','odd.txt could not be written: ValueError: the model does not like this text',1,1.79584784629248619082e+09);
INSERT INTO "managed_sync_records" VALUES(1,'plan','indexed','d110c89ff4e6cb3f1a073b90b6442c82eebdcf943722696026a1bbe3cdec0e3a','8710cbec76c408bc9fc8','{"7b15f7a3-5f34-545e-b22c-404729438e40":"d3abab89c32d9048ed14.cf1278f9056824b72fa9","751cfac7-be92-57c8-8d88-de108e38983b":"92e4ffd227ad63dd49bd.3934c47a654e048e8ef7","dabc0d15-c5af-5a89-8267-7ba76555db86":"92e4ffd227ad63dd49bd.8b7ba8f8257ba178faeb","c784dcef-c6dc-54a2-8b73-4a049ae60c64":"92e4ffd227ad63dd49bd.cd9f8194902452bf002c","d8a7d89f-b7c4-542b-93d6-c40f783b3166":"11fe236e957902ff4f2c.6f73b79e2247a21ae375"}',5,'plan.txt',NULL,0,NULL);
INSERT INTO "managed_sync_records" VALUES(1,'broken','dismissed','ac1f50e07c844055d13bdf51980258f4d535cbf513ed1af007f031371ea011cc',NULL,'{}',0,'broken.txt','broken.txt is said to be PDF, but its bytes are not: the file is damaged or has the wrong type.',1,1.79584784629248619082e+09);
INSERT INTO "managed_sync_records" VALUES(1,'empty','skipped','01f2d2f7c4cec99fb647b5061888447e06713b155387ccaaebfdfdfe4fb6dcd1',NULL,'{}',0,'empty.txt','empty.txt is empty.',0,NULL);
CREATE INDEX managed_sync_records_by_state ON managed_sync_records (pipeline_id, state);
COMMIT;
