"""What can be known about a script before it runs: names, arguments, types."""
