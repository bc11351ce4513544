-- A label is complete when the last possible first missed payment (56 days) has passed: when that day is loaded.
-- The split is by customer, so that no customer stands on two sides, and by a hash, so that it can be repeated.
WITH complete AS (
  SELECT DISTINCT date_sub(transaction_date, 56) AS transaction_date FROM int_enriched_transactions
), labels AS (
  SELECT transaction_key, will_default AS label FROM int_enriched_transactions
)
SELECT
  f.*, l.label,
  CASE WHEN pmod(crc32(f.customer_id), 100) < 70 THEN 'train' WHEN pmod(crc32(f.customer_id), 100) < 85 THEN 'validation'
       ELSE 'test' END AS split
FROM mart_bnpl_ml_features f
JOIN complete c ON c.transaction_date = f.transaction_date
JOIN labels l ON l.transaction_key = f.transaction_key
