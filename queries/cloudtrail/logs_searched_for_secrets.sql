-- title           = "Logs were searched for passwords or keys"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.collection", "attack.t1552.001", "attack.t1552"]
-- remedy          = "Ask what for; rotate what the search found if nobody can say, and have the application not log it."
-- false_positives = "Whoever looks whether secrets are logged."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'filterPattern', requestParameters ->> 'queryString', requestParameters ->> 'logEventFilterPattern') AS searched_for,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'logGroupName', account) AS resource,
       CASE WHEN requestParameters ->> 'unmask' = 'true' OR requestParameters ->> 'queryString' LIKE '%unmask(%' THEN 'Values that are masked in logs were asked for in the clear'
            ELSE 'Logs were searched for passwords or keys' END AS title
FROM cloudtrail
WHERE eventSource = 'logs.amazonaws.com'
  AND eventName IN ('FilterLogEvents', 'StartQuery', 'StartLiveTail', 'GetLogEvents')
  AND (requestParameters ->> 'unmask' = 'true'
       OR regexp_like(coalesce(requestParameters ->> 'filterPattern', requestParameters ->> 'queryString', requestParameters ->> 'logEventFilterPattern'), '(?i)passw(or)?d|secret|AKIA|ASIA|api_?-?key|private.key|bearer|credential|unmask[(]'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
