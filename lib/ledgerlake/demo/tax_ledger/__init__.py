"""The world of the tax ledger: services that write financial events, and a finance team that closes periods."""
