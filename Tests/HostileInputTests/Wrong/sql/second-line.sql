SELECT COUNT(*)
FROM visits
WHERE amuont > 3