"""The two branches and the attention they are made of. flax.linen only here."""
