SELECT
  jurisdiction,
  posting_period AS period,
  currency,
  CAST(sum(credit) AS DECIMAL(28,3)) AS collected_amount,
  CAST(sum(debit) AS DECIMAL(28,3)) AS returned_amount,
  CAST(sum(credit) - sum(debit) AS DECIMAL(28,3)) AS liability_amount
FROM account_days
WHERE account = 'tax_payable'
GROUP BY jurisdiction, posting_period, currency
