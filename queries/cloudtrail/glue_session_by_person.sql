-- title           = "Person opened an interactive Glue session, or ran code in one"
-- severity        = "low"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.t1648"]
-- remedy          = "Ask the person; a session runs any code with the rights of its role. Limit glue:CreateSession and iam:PassRole to data engineers."
-- false_positives = "Data engineers working in notebooks."
SELECT coalesce(requestParameters ->> 'sessionId', requestParameters ->> 'id') AS resource, requestParameters ->> 'role' AS role, userAgent,
       -- who works with notebooks has a session; a key that never ends is what is found and stolen
       CASE WHEN userIdentity.accessKeyId LIKE 'AKIA%' OR NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('CreateSession', 'RunStatement')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
