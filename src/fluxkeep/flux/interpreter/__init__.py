"""Scripts to query graphs: values, operators, evaluation of the tree."""
