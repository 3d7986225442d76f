"""A description as tables: workbooks and CSV files, for people who live in spreadsheets."""
