-- title      = "Lake Formation administrators were set"
-- severity   = "medium"
-- confidence = "medium"
-- tags       = ["attack.privilege_escalation", "attack.persistence", "attack.t1098"]
-- remedy     = "Compare the list with the last one: an administrator can grant any permission on the lake, also to outsiders. Put the last list back (PutDataLakeSettings) if one does not belong, and list what it has granted."
SELECT 'arn:aws:lakeformation:' || awsRegion || ':' || account || ':catalog' AS resource,
       requestParameters -> 'dataLakeSettings' ->> 'dataLakeAdmins' AS administrators
FROM cloudtrail
WHERE eventSource = 'lakeformation.amazonaws.com'
  AND eventName = 'PutDataLakeSettings'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND json_length(requestParameters, 'dataLakeSettings', 'dataLakeAdmins') > 0
