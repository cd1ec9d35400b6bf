"""How close a bundle comes to the published reconstructions, measured on speakers it never heard."""
