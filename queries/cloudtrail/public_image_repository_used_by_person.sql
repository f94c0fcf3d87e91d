-- title    = "Public image repository was made by hand, or an image published by a person"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1567.002", "attack.persistence", "attack.t1525"]
-- remedy   = "Look what the image holds: everybody may read it. Delete it if it is not meant to be public, and rotate what was in it."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'repositoryName' AS resource
FROM cloudtrail
WHERE eventSource = 'ecr-public.amazonaws.com'
  AND eventName IN ('CreateRepository', 'PutImage', 'SetRepositoryPolicy')
  AND NOT is_infrastructure_tool()
  AND (eventName = 'CreateRepository'
       OR is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
