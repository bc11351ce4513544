SELECT
  posting_date,
  posting_period,
  account,
  jurisdiction,
  currency,
  count(*) AS postings,
  CAST(sum(debit) AS DECIMAL(28,3)) AS debit,
  CAST(sum(credit) AS DECIMAL(28,3)) AS credit
FROM postings
GROUP BY posting_date, posting_period, account, jurisdiction, currency
