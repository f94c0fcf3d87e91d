-- title    = "Security group was opened to the internet on an administrative or database port"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.007", "attack.initial_access", "attack.t1133", "cis.4.10", "cis.5.2", "cis.5.3"]
-- remedy   = "Revoke the rule (RevokeSecurityGroupIngress); look in VPC flow logs for who has connected since; use Session Manager or a VPN instead."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'ipPermissions' AS permissions,
       requestParameters ->> 'cidrIp' AS cidr,
       requestParameters ->> 'fromPort' AS from_port,
       requestParameters ->> 'toPort' AS to_port,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'groupId', requestParameters ->> 'groupName') AS resource,
       -- what a pipeline is made to do was read by somebody before; the console proposes SSH from anywhere with each instance
       CASE WHEN errorCode IS NULL AND NOT is_person()
                 AND regexp_like(coalesce(userAgent, ''), '[Pp]acker')
                 AND coalesce(json_length(requestParameters, 'ipPermissions', 'items'), 0) = 1
                 AND coalesce(json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'fromPort'), 0) IN (22, 3389, 5985, 5986)
                 AND json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'fromPort') = json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'toPort') THEN 'low'
            WHEN errorCode IS NULL AND coalesce(NOT (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()), true)
                 -- Packer opens the one port by which it enters what it makes an image of
                 AND NOT (regexp_like(coalesce(userAgent, ''), '[Pp]acker')
                          AND coalesce(json_length(requestParameters, 'ipPermissions', 'items'), 0) = 1
                          AND coalesce(json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'fromPort'), 0) IN (22, 3389, 5985, 5986)
                          AND json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'fromPort') = json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'toPort'))
                 AND NOT (sessionCredentialFromConsole IS TRUE AND userIdentity.type = 'AssumedRole'
                          AND coalesce(json_length(requestParameters, 'ipPermissions', 'items'), 0) = 1
                          AND coalesce(json_get_int(requestParameters, 'ipPermissions', 'items', 0, 'fromPort'), 0) IN (22, 3389)) THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Security group was opened to the internet on an administrative or database port'
            ELSE 'Somebody tried to open an administrative or database port to the internet' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'AuthorizeSecurityGroupIngress'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  -- no wide network anywhere: found sooner than where the ranges are
  AND regexp_like(requestParameters, '/[0-7]"') -- equivalent: a range that the next condition finds ends so
  AND array_any_match(
        coalesce(json_get_array(requestParameters, 'ipPermissions', 'items'), json_get_array(requestParameters, 'ipPermissions'), make_array(requestParameters)),
        p -> (regexp_like(coalesce(p ->> 'ipRanges', p ->> 'cidrIp'), '/[0-7]("|$)') OR regexp_like(p ->> 'ipv6Ranges', '/[0-3]"'))
             AND (p ->> 'ipProtocol' = '-1'
                  OR array_any_match(make_array(22, 23, 135, 139, 445, 1433, 1521, 2375, 2376, 3306, 2379, 2380, 3389, 5432, 5439, 5601, 5900, 5984, 5985, 5986, 6379, 8888, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 27017),
                                  port -> port BETWEEN json_get_int(p, 'fromPort') AND json_get_int(p, 'toPort'))))
