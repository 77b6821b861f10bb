"""The control words and character sets of RTF that stand for text."""

from __future__ import annotations

__all__ = ["CHARACTERS", "CHARSETS", "SKIPPED", "TRANSPARENT", "codec"]

CHARACTERS = {
    "tab": "\t",
    "line": "\n",
    "softline": "\n",
    "lquote": "‘",  # noqa: RUF001
    "rquote": "’",  # noqa: RUF001
    "ldblquote": "“",
    "rdblquote": "”",
    "emdash": "—",
    "endash": "–",  # noqa: RUF001
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "nestcell": ", ",
    "nestrow": "; ",
    "~": "\xa0",
    "_": "-",
    "-": "",
    "zwj": "\u200d",
    "zwnj": "\u200c",
    "{": "{",
    "}": "}",
    "\\": "\\",
    "\t": "\t",
}

# Windows' numbers of character sets, as fonts state them.
CHARSETS = {
    0: "cp1252",
    2: "symbol",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
}

# Destinations whose text is not shown. Others that begin with "\*" are not known, and skipped too.
SKIPPED = {
    *("colortbl", "info", "pict", "objdata", "objclass", "objname", "upr", "themedata"),
    *("datastore", "latentstyles", "listtable", "listoverridetable", "rsidtbl", "generator"),
    *(
        "xmlnstbl",
        "filetbl",
        "revtbl",
        "nonshppict",
        "shprslt",
        "xe",
        "tc",
        "tcn",
        "rxe",
        "bkmkstart",
    ),
    *(
        "bkmkend",
        "ftnsep",
        "ftnsepc",
        "ftncn",
        "aftnsep",
        "aftnsepc",
        "aftncn",
        "template",
        "nextfile",
    ),
    *("pnseclvl", "pntxta", "pntxtb", "txe", "fontemb", "falt", "panose", "private", "datafield"),
    *("formfield", "ffname", "ffdeftext", "atnid", "atntime", "atndate", "atnref", "atrfstart"),
    *("atrfend", "atnparent", "nesttableprops", "mmathPr", "keycode"),
}

# Destinations whose text is part of the text around them, also after "\*".
TRANSPARENT = {
    *("shpinst", "shppict", "picprop", "fldrslt", "field", "shp", "shpgrp", "ud", "do"),
    *(
        "object",
        "result",
        "mmath",
        "moMath",
        "moMathPara",
        "mr",
        "mf",
        "mnum",
        "mden",
        "me",
        "msup",
    ),
    *(
        "msub",
        "msSup",
        "msSub",
        "msSubSup",
        "mrad",
        "mdeg",
        "mnary",
        "md",
        "mfunc",
        "mfName",
        "mlim",
    ),
    *("mlimLow", "mlimUpp", "mm", "mmr", "macc", "mbar", "meqArr", "mgroupChr", "msPre", "mbox"),
}


def codec(codepage: int) -> str:
    """Returns the name of Python's codec for a code page of Windows."""
    return {10000: "mac_roman", 65001: "utf-8", 936: "gbk", 950: "big5", 949: "cp949"}.get(
        codepage, f"cp{codepage}"
    )
