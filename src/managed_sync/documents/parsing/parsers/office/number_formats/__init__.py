"""Shows numbers and dates as the number formats of workbooks and charts do."""
