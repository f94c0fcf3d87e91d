-- title    = "Security group rule was widened to the internet on an administrative or database port"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.007", "attack.initial_access", "attack.t1133", "cis.4.10", "cis.5.2", "cis.5.3"]
-- remedy   = "Revoke the rule (RevokeSecurityGroupIngress); look in VPC flow logs for who has connected since; use Session Manager or a VPN instead."
SELECT eventTime,
       requestParameters -> 'ModifySecurityGroupRulesRequest' ->> 'SecurityGroupRule' AS rule,
       sourceIPAddress,
       userAgent,
       requestParameters -> 'ModifySecurityGroupRulesRequest' ->> 'GroupId' AS resource,
       CASE WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()) THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifySecurityGroupRules'
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(requestParameters, 'ModifySecurityGroupRulesRequest', 'SecurityGroupRule'),
                 make_array(json_get_json(requestParameters, 'ModifySecurityGroupRulesRequest', 'SecurityGroupRule'))),
        r -> (regexp_like(json_get_str(r, 'SecurityGroupRule', 'CidrIpv4'), '/[0-7]$') OR regexp_like(json_get_str(r, 'SecurityGroupRule', 'CidrIpv6'), '/[0-3]$'))
             AND (json_as_text(r, 'SecurityGroupRule', 'IpProtocol') = '-1'
                  OR array_any_match(make_array(22, 23, 135, 139, 445, 1433, 1521, 2375, 2376, 3306, 2379, 2380, 3389, 5432, 5439, 5601, 5900, 5984, 5985, 5986, 6379, 8888, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 27017),
                                  port -> port BETWEEN json_get_int(r, 'SecurityGroupRule', 'FromPort') AND json_get_int(r, 'SecurityGroupRule', 'ToPort'))))
