"""The engine: drives the decisions of `flow` over transport and ledger, with clocks."""
