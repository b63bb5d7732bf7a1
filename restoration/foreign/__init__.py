"""Files of tensors that others have written: read without running code, recognised, and made folders of weights."""
