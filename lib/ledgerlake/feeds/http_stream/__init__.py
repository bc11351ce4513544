"""HTTP streams of server-sent events: which days to ask for, how much, and when an answer is whole."""
