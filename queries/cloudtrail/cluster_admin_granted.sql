-- title    = "Principal was made administrator of an EKS cluster"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.006"]
-- remedy   = "Remove the access entry (DeleteAccessEntry) if its owner cannot name a reason; look at its calls in the cluster's audit log."
SELECT eventTime,
       requestParameters ->> 'principalArn' AS principal,
       requestParameters ->> 'policyArn' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'clusterName') AS resource
FROM cloudtrail
WHERE eventSource = 'eks.amazonaws.com'
  AND eventName = 'AssociateAccessPolicy'
  AND errorCode IS NULL
  AND regexp_like(requestParameters ->> 'policyArn', '/AmazonEKS(Cluster)?AdminPolicy$')
