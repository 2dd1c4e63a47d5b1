"""The data sets, one module each: `registry` lists them."""
