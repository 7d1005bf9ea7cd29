"""Networks: our own, and those of other libraries, as one triple."""
