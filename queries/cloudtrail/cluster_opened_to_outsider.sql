-- title           = "EKS cluster was opened to another account or another identity provider"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.lateral_movement", "attack.t1098.006", "attack.t1098", "attack.t1484.002"]
-- remedy          = "Delete the access entry or the provider if nobody claims it, and read the cluster's audit log for what came from there."
-- false_positives = "A provider that the platform team set up."
SELECT eventTime,
       eventName,
       requestParameters ->> 'principalArn' AS principal,
       requestParameters ->> 'oidc' AS provider,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'clusterName') AS resource
FROM cloudtrail
WHERE eventSource = 'eks.amazonaws.com'
  AND eventName IN ('CreateAccessEntry', 'AssociateIdentityProviderConfig')
  AND (eventName = 'AssociateIdentityProviderConfig'
       OR regexp_like(without_own(requestParameters ->> 'principalArn', account), ':[0-9]{12}:'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
