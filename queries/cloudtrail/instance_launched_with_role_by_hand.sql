-- title           = "Instance was launched by hand with a role and commands to run at its start"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.execution", "attack.t1098.003", "attack.t1078.004", "attack.t1578.002"]
-- remedy          = "Ask the person what the instance is for. Its start script runs with the rights of the role, which may be more than the person's own: read the script (DescribeInstanceAttribute), and look at what the role did since."
-- false_positives = "Developers who launch instances at the command line; the wizard of the console (low)."
SELECT eventTime,
       coalesce(requestParameters -> 'iamInstanceProfile' ->> 'arn', requestParameters -> 'iamInstanceProfile' ->> 'name') AS instance_profile,
       json_get_str(requestParameters, 'instancesSet', 'items', 0, 'imageId') AS image,
       sourceIPAddress,
       userAgent,
       coalesce(json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId'), requestParameters -> 'iamInstanceProfile' ->> 'arn', requestParameters -> 'iamInstanceProfile' ->> 'name') AS resource,
       CASE WHEN sessionCredentialFromConsole IS TRUE
                 OR regexp_like(userAgent, '[Pp]acker') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND errorCode IS NULL
  AND json_contains(requestParameters, 'iamInstanceProfile')
  AND json_contains(requestParameters, 'userData')
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
