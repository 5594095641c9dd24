"""Documents -> tokens -> vocabulary."""
