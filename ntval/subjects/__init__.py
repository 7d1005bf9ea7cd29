"""What a claim examines, and how what a user passed becomes that."""
