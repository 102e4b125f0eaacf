"""Text to statements: lexemes, scanner, tree, parser."""
