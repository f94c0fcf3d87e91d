-- title    = "Roles Anywhere profile was created or given other roles"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001", "attack.t1098.003"]
-- remedy   = "Check which roles the profile allows and which trust anchors exist; disable the profile if nobody knows it."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'name', json_get_str(responseElements, 'profile', 'name')) AS profile,
       requestParameters ->> 'roleArns' AS roles,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'profile', 'profileArn'), requestParameters ->> 'profileId', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('CreateProfile', 'UpdateProfile')
  AND json_contains(requestParameters, 'roleArns')
  AND errorCode IS NULL
