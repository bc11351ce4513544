"""The Stripe API: events say what changed, fetched objects are the truth."""
