-- title           = "Layer was added to a Lambda function"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1574", "attack.defense_evasion"]
-- remedy          = "Download the layer version and compare it with its source: its code runs before the function's own, with the function's role. Take it off if nobody claims it."
-- false_positives = "Monitoring agents that come as a vendor's layer (low where CloudFormation deploys them for a role)."
SELECT eventTime,
       requestParameters ->> 'layers' AS layers,
       responseElements ->> 'role' AS function_role,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName') AS resource,
       CASE WHEN is_by_hand()
                 -- a stack names the vendor's layer at each deployment
                 OR regexp_like(without_own(requestParameters ->> 'layers', account), ':[0-9]{12}:layer:')
                    AND coalesce(userIdentity.invokedBy, '') <> 'cloudformation.amazonaws.com' THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN regexp_like(without_own(requestParameters ->> 'layers', account), ':[0-9]{12}:layer:') THEN 'Layer of another account was added to a Lambda function'
            ELSE 'Layer was added to a Lambda function' END AS title
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'UpdateFunctionConfiguration%'
  AND errorCode IS NULL
  AND json_length(requestParameters, 'layers') > 0
