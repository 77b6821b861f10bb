"""The permission graph: relation tuples like Zanzibar's, evaluated by SQL or by SpiceDB."""
