WITH balances AS (
  SELECT currency, account, sum(postings) AS postings, sum(debit) AS debit, sum(credit) AS credit
  FROM account_days
  GROUP BY currency, account
)
SELECT
  currency,
  account,
  postings,
  CAST(debit AS DECIMAL(30,3)) AS debit,
  CAST(credit AS DECIMAL(30,3)) AS credit,
  CAST(debit - credit AS DECIMAL(30,3)) AS balance,
  CAST(sum(debit - credit) OVER (PARTITION BY currency) AS DECIMAL(30,3)) AS currency_difference
FROM balances
