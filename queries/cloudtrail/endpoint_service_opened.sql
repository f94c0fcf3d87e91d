-- title           = "VPC endpoint service was opened to another account or to everybody"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.exfiltration", "attack.t1133", "attack.t1537"]
-- remedy          = "Take the principal off if it is none of yours or of a customer, and look at the connections that were accepted."
-- false_positives = "Services that are offered to customers."
SELECT eventTime,
       eventName,
       requestParameters -> 'ModifyVpcEndpointServicePermissionsRequest' ->> 'AddAllowedPrincipals' AS opened_to,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'ModifyVpcEndpointServicePermissionsRequest' ->> 'ServiceId', requestParameters -> 'ModifyVpcEndpointServiceConfigurationRequest' ->> 'ServiceId') AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('ModifyVpcEndpointServicePermissions', 'ModifyVpcEndpointServiceConfiguration')
  AND (json_get_bool(requestParameters, 'ModifyVpcEndpointServiceConfigurationRequest', 'AcceptanceRequired') = false
          AND is_by_hand()
          AND NOT is_infrastructure_tool()
       OR regexp_like(without_own(requestParameters -> 'ModifyVpcEndpointServicePermissionsRequest' ->> 'AddAllowedPrincipals', account), '[0-9]{12}|"\*"'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
