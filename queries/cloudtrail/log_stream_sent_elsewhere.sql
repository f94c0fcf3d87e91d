-- title           = "Person had logs exported or sent to another account"
-- severity        = "medium"
-- tags            = ["attack.collection", "attack.exfiltration", "attack.t1537", "attack.t1119", "attack.t1530"]
-- remedy          = "Find out where the logs go and what they hold; take the subscription off if nobody claims it."
-- false_positives = "Audits that ask for an export."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'destination', requestParameters ->> 'destinationArn', requestParameters ->> 'policyDocument') AS destination,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'logGroupName', account) AS resource
FROM cloudtrail
WHERE eventSource = 'logs.amazonaws.com'
  AND eventName IN ('PutSubscriptionFilter', 'PutAccountPolicy', 'CreateExportTask')
  AND (eventName = 'CreateExportTask'
       OR regexp_like(without_own(requestParameters, account), ':[0-9]{12}:'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
