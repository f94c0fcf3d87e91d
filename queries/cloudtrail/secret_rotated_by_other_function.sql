-- title           = "Secret was given to a function of another account, or by a person, to rotate"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1555.006", "attack.persistence", "attack.t1098"]
-- remedy          = "See what the function does with the secret: it reads each new value. Set the former function again and rotate once more."
-- false_positives = "Whoever sets up rotation by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'rotationLambdaARN' AS function,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'secretId' AS resource
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'RotateSecret'
  AND requestParameters ->> 'rotationLambdaARN' IS NOT NULL
  AND (regexp_like(without_own(requestParameters ->> 'rotationLambdaARN', account), ':[0-9]{12}:')
       OR NOT is_infrastructure_tool()
          AND is_by_hand_or_script())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
