-- title           = "Person changed where a Glue connection leads"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1552", "attack.collection", "attack.t1565"]
-- remedy          = "Compare the address, the secret and the subnet with what they were: jobs hand user and password to whatever the connection names. If nobody can say why: put it back, and change the password."
-- false_positives = "Data engineers who set up a connection by hand."
SELECT requestParameters ->> 'name' AS resource,
       eventTime,
       requestParameters -> 'connectionInput' ->> 'connectionType' AS type,
       sourceIPAddress,
       userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'UpdateConnection'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
