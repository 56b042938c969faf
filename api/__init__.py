"""The doors: HTTP, web pages and command line."""
