"""The permission graph: relation tuples like Zanzibar's, evaluated in the database."""
