"""EMR Serverless: submits a run as a job that starts, works and ends, and follows it.

``request`` says what is asked of the service, ``client`` is the port to it, ``submit`` starts and
follows a job, ``cost`` prices what was billed.
"""
