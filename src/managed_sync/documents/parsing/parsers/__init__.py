"""One module for each kind of file, or for each library that reads several."""
