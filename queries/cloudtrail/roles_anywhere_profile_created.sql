-- title    = "Roles Anywhere profile was created or given other roles"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001", "attack.t1098.003"]
-- remedy   = "Check which roles the profile allows and which trust anchors exist; disable the profile if nobody knows it."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'name', json_get_str(responseElements, 'profile', 'name')) AS profile,
       requestParameters ->> 'roleArns' AS roles,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'profile', 'profileArn'), requestParameters ->> 'profileId', requestParameters ->> 'name') AS resource,
       CASE WHEN eventName = 'EnableProfile' THEN 'Roles Anywhere profile was enabled'
            ELSE 'Roles Anywhere profile was created or given other roles' END AS title
FROM cloudtrail
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('CreateProfile', 'UpdateProfile', 'EnableProfile')
  AND (json_contains(requestParameters, 'roleArns')
       -- one that lay still; a deployment enables what it describes
       OR eventName = 'EnableProfile'
          AND NOT is_infrastructure_tool()
          AND userIdentity.invokedBy IS NULL)
  AND errorCode IS NULL
