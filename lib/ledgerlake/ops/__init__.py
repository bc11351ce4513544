"""Operations: what people do with pipelines. Run, plan, trace, replay, retain, look after quarantine.

``run`` composes the stages in their one order: ``extract`` → ``load`` → ``mastering`` → ``serve``
(marts, gates, ``export``, publication). ``retention`` removes what nobody will read again. The
others only look, and start no Spark unless they must.
"""
