-- title           = "Person opened a remote administration or database port, or all ports, to an address of the internet"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.persistence", "attack.t1133"]
-- remedy          = "Ask the owner whose address it is, and close the port again: Session Manager needs none."
-- false_positives = "Developers who work from home."
SELECT eventTime,
       eventName,
       requestParameters -> 'ipPermissions' ->> 'items' AS opened,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'groupId', requestParameters ->> 'groupName') AS resource,
       CASE WHEN (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'AuthorizeSecurityGroupIngress'
  AND array_any_match(json_get_array(requestParameters, 'ipPermissions', 'items'),
                      p -> array_any_match(json_texts(p, 'ipRanges', 'items', 'cidrIp'), c -> NOT ip_is_private(split_part(c, '/', 1)) AND NOT regexp_like(c, '/[0-7]$'))
                           AND (p ->> 'ipProtocol' = '-1'
                                OR array_any_match(make_array(22, 1433, 1521, 3306, 3389, 5432, 5985, 5986, 6379, 27017), port -> port BETWEEN json_get_int(p, 'fromPort') AND json_get_int(p, 'toPort'))))
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
