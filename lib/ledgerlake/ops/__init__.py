"""Operations: what people do with pipelines. Run, plan, trace, replay, look after quarantine.

``run`` composes the stages in their one order: ``extract`` → ``load`` → ``serve`` (marts,
gates, publication). The others only look, and start no Spark unless they must.
"""
