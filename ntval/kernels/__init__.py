"""The measured side: Gram matrices and operators, `ntk` under one name in every module."""
