"""Whether a retrained model becomes the champion: what is measured, the rule, the decision."""
