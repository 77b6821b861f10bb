"""Finds the tables of a page, by the lines that are drawn or by the columns of its words."""
