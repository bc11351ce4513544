"""The pay-later demo: a simulated simtom service that streams each day's transactions."""
