"""The web page's static files."""
