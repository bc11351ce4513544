"""Where SQL runs: in this process (``embedded``) or on Spark, behind one door (``base``)."""
