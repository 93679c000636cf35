"""The rules, one module each; `lint/rule.py` says what such a module looks like."""
